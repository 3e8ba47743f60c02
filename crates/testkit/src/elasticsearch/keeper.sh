# Runs one server in the foreground, stops it when told to, and removes its folder in the end.
#   $1  the server's folder
#   $2  how to end: "with-stdin" = when the standard input is closed, too; "when-told" = only by a signal
#   $3  a command to run once the server is gone, may be empty
#   …   the server's command line
# The closing of a pipe is the one thing that the system does for a process that ends in any way: that is why the standard input is watched.
folder=$1 ending=$2 afterwards=$3
shift 3

exec 3<&0 </dev/null
trap '' INT HUP
trap stop TERM

stop() {
    trap '' TERM
    kill -TERM "$server" 2>/dev/null
    tries=0
    while kill -0 "$server" 2>/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -le 75 ] || kill -KILL "$server" 2>/dev/null
        sleep 0.2
    done
}

"$@" 3<&- &
server=$!

watcher=
if [ "$ending" = with-stdin ]; then
    (
        trap - TERM
        while read -r _; do :; done
        kill -TERM $$
    ) <&3 &
    watcher=$!
fi
exec 3<&-

wait "$server"
status=$?
while kill -0 "$server" 2>/dev/null; do
    wait "$server"
    status=$?
done
[ -z "$watcher" ] || kill -TERM "$watcher" 2>/dev/null
[ -z "$afterwards" ] || sh -c "$afterwards" >/dev/null 2>&1
rm -rf "$folder"
exit "$status"
