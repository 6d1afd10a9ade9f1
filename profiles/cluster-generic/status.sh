#!/usr/bin/env bash
# Prints running, success or failed for the number of a job, as the executor cluster-generic wants to know it.
set -uo pipefail
job=$1

slurm() { # squeue knows a job for some minutes after its end, the accounting longer
  local state
  state=$(squeue --noheader --states all --jobs "$job" --format %T 2>/dev/null)
  [ -n "$state" ] || state=$(sacct --noheader --allocations --jobs "$job" --format State%20 2>/dev/null | head -n 1)
  case "$state" in
    *COMPLETED*) echo success ;;
    *FAILED* | *CANCELLED* | *TIMEOUT* | *OUT_OF_ME* | *NODE_FAIL* | *PREEMPTED* | *DEADLINE*) echo failed ;;
    *) echo running ;; # or not known yet
  esac
}

grid_engine() {
  qstat -j "$job" >/dev/null 2>&1 && echo running && return
  case "$(qacct -j "$job" 2>/dev/null | awk '$1 == "failed" || $1 == "exit_status" {print $2}' | sort -n | tail -n 1)" in
    "") echo running ;; # between the queue and the accounting
    0) echo success ;;
    *) echo failed ;;
  esac
}

lsf() {
  case "$(bjobs -noheader -o stat "$job" 2>/dev/null)" in
    DONE) echo success ;;
    EXIT | ZOMBI) echo failed ;;
    *) echo running ;;
  esac
}

if command -v squeue >/dev/null; then
  slurm
elif command -v bjobs >/dev/null; then
  lsf
elif command -v qacct >/dev/null; then
  grid_engine
else
  echo "error: neither squeue nor bjobs nor qacct was found; teach $0 the command of your cluster" >&2
  exit 1
fi
