#!/usr/bin/env bash
# Stops what slurm_up.sh started, jobs included, and deletes its files; no harm where nothing runs.
set -uo pipefail
STATE=${STATE:-/tmp/luss-slurm}
MARK="# Written by tests/slurm/slurm_up.sh; slurm_down.sh deletes it."

ours() { # whether a process number still is one of the daemons: numbers are used again
  case "$(basename "$(readlink "/proc/$1/exe" 2>/dev/null)")" in
    munged | slurmctld* | slurmd*) return 0 ;; # Debian adds -wlm
    *) return 1 ;;
  esac
}

stop() {
  kill "$1" 2>/dev/null
  for _ in $(seq 100); do
    ours "$1" || return
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null
}

if grep -qxsF "$MARK" /etc/slurm/slurm.conf && timeout 5 scontrol ping 2>/dev/null | grep -q "is UP"; then
  scancel --quiet --me
  for _ in $(seq 100); do # KillWait seconds and a little more
    [ -z "$(timeout 5 squeue --noheader --me --states pending,running,completing 2>/dev/null)" ] && break
    sleep 0.1
  done
fi
if [ -s "$STATE/pids" ]; then
  tac "$STATE/pids" | while read -r pid; do
    ours "$pid" && stop "$pid"
  done
  echo "SLURM is down"
fi
# With a slurm.conf and no controller every call of snakemake takes ten seconds longer: its plugin asks at start.
for file in /etc/slurm/slurm.conf /etc/slurm/gres.conf; do
  grep -qxsF "$MARK" "$file" && rm -f "$file"
done
case "$STATE" in /tmp/*) rm -rf "$STATE" ;; *) rm -f "$STATE/pids" ;; esac
exit 0
