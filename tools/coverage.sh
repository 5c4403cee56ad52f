#!/bin/sh
# Runs the tests of a build with counters (machines/coverage.ini), and prints what they reach.
#
#     coverage.sh BUILD
#
# Tests run as other users, who must be able to write counters. A worker of pytest-xdist ends without
# writing them.
set -eu
build=$1
umask 0
find "$build" -name '*.gcda' -exec rm -f {} +
chmod -R a+rwX "$build"
meson test -C "$build" --no-suite tools --no-suite consumers --timeout-multiplier 5 --quiet
package=$build/packages/ironmap
rm -rf "$package"
mkdir -p "$package"
cp python/ironmap/* "$build"/python/_ironmap*.so "$package"
PYTHONPATH=$build/packages "$PYTHON" -m pytest -q tests/python tests/compat -k "not leak"
gcovr --root . --filter src/ --filter python/ext/ --merge-lines --gcov-ignore-parse-errors=all \
    --json "$build/coverage.json" --txt "$build/lines.txt" \
    --html-details "$build/report.html" "$build"
"$PYTHON" tools/coverage_table.py "$build/coverage.json"
