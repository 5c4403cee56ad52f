#!/bin/sh
# Runs a command with the Wine of this checkout, build/wine, and never the user's. Wine shows no
# windows, offers nothing to install, and starts no debugger if a program crashes.
#
#     in-wine.sh wine PROGRAM ARGUMENT...
#     in-wine.sh wineserver -k
root=$(cd "$(dirname "$0")/.." && pwd)
export WINEPREFIX="$root/build/wine" WINEDEBUG=-all
export WINEDLLOVERRIDES='winedbg.exe=d;mscoree=d;mshtml=d'
unset DISPLAY WAYLAND_DISPLAY
exec "$@"
