#!/bin/sh
# Starts a private PulseAudio server with three null sinks, runs a command against it, and ends it. Needs the Debian package `pulseaudio` (or PipeWire's pulseaudio with `pactl`); touches no
# server of the user. Without a command it runs the device tests of this crate.
#
#   adapters/voice/tests/pulse.sh
#   adapters/voice/tests/pulse.sh codex voice doctor
set -eu

command -v pulseaudio >/dev/null || {
    echo "pulse.sh: no \`pulseaudio\`; install the package of that name" >&2
    exit 1
}
dir=$(mktemp -d)
mkdir -m 700 "$dir/run" "$dir/home"
start() {
    env HOME="$dir/home" XDG_RUNTIME_DIR="$dir/run" XDG_CONFIG_HOME="$dir/home" \
        PULSE_RUNTIME_PATH="$dir/run/pulse" PULSE_STATE_PATH="$dir/home/state" \
        pulseaudio -n --daemonize=no --exit-idle-time=-1 --use-pid-file=no --disable-shm=yes \
        --log-level=error \
        -L "module-native-protocol-unix socket=$dir/native auth-anonymous=1" \
        -L "module-null-sink sink_name=desk sink_properties=device.description=Desk" \
        -L "module-null-sink sink_name=other sink_properties=device.description=Other" \
        -L "module-null-sink sink_name=headset sink_properties=device.description=Headset" &
    echo $! >"$dir/pid"
}
finish() {
    kill "$(cat "$dir/pid")" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap finish EXIT INT TERM
start
tries=0
while [ ! -S "$dir/native" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || { echo "pulse.sh: the server did not start" >&2; exit 1; }
    sleep 0.1
done
export PULSE_SERVER="unix:$dir/native"
if [ "$#" -gt 0 ]; then
    "$@"
else
    cargo test -p codex-voice --test pulse -- --nocapture
fi
