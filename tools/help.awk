# Prints the commands of a Makefile in groups: "##@ GROUP", "NAME: ... ## TIME | TEXT" and "#: VARIABLE".
BEGIN { print "make COMMAND, where COMMAND is one of these, with its usual time on two cores" }
/^##@ / { print ""; print substr($0, 5) }
/^[a-z-]+:.*## .*\|/ {
    name = $0; sub(/:.*/, "", name)
    time = $0; sub(/.*## /, "", time); text = time
    sub(/ *\|.*/, "", time); sub(/^[^|]*\| */, "", text)
    printf "  %-18s %10s  %s\n", name, time, text
}
/^#: / { print "    " substr($0, 4) }
