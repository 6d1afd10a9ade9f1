#!/usr/bin/env bash
# A SLURM of two pretended nodes on this machine, for `make test-slurm`; slurm_down.sh takes it away again.
#
# Needs root, and Debian's or Ubuntu's apt where SLURM is not installed. Ends with 77 where it cannot run. Daemons run
# as root without systemd, cgroups or accounting, and the GPUs are device files that do nothing: not for production.
# What may be set: CPUS, MEM_MB and GPUS of a node (more than the machine has is fine), STATE (its folder).
set -euo pipefail
CPUS=${CPUS:-32} MEM_MB=${MEM_MB:-130000} GPUS=${GPUS:-4} STATE=${STATE:-/tmp/luss-slurm}
CONF=/etc/slurm/slurm.conf # the usual place, as the executor takes SLURM_CONF out of the environment of jobs
MARK="# Written by tests/slurm/slurm_up.sh; slurm_down.sh deletes it."
HERE=$(cd "$(dirname "$0")" && pwd)

cannot() {
  echo "skipped: $1" >&2
  exit 77
}

wait_for() { # seconds, command
  local seconds=$1
  shift
  for _ in $(seq $((seconds * 10))); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "error: after $seconds s still not: $*; logs are in $STATE/log" >&2
  return 1
}

install_slurm() {
  local missing=() package
  command -v dpkg >/dev/null || cannot "SLURM can only be set up where there is apt (Debian, Ubuntu)"
  for package in slurmctld slurmd slurm-client munge slurm-wlm-basic-plugins; do
    dpkg -s "$package" >/dev/null 2>&1 || missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "installing ${missing[*]}"
  apt-get update -qq || cannot "apt-get update failed: no package source can be reached"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
    cannot "apt could not install ${missing[*]}"
}

start_munge() {
  if [ ! -s /etc/munge/munge.key ]; then
    (umask 077 && head -c 1024 /dev/urandom >/etc/munge/munge.key)
    chown munge: /etc/munge/munge.key
  fi
  install -d -o munge -g munge -m 0755 /run/munge
  install -d -o munge -g munge -m 0700 /var/log/munge /var/lib/munge
  munge -n >/dev/null 2>&1 && return # someone else's; it stays
  runuser -u munge -- /usr/sbin/munged
  wait_for 10 munge -n
  cat /run/munge/munged.pid >>"$STATE/pids"
}

write_configuration() {
  local host n
  host=$(hostname -s)
  for n in $(seq 0 $((GPUS - 1))); do
    [ -e "$STATE/gpu$n" ] || mknod -m 666 "$STATE/gpu$n" c 1 3 # like /dev/null
  done
  # cred_expire: a job that SLURM itself puts back waits that long, not two minutes.
  # MinJobAge: without accounting, squeue has to know jobs for a while after their end.
  cat >"$CONF" <<END
$MARK
ClusterName=luss
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=cred_expire=30
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
StateSaveLocation=$STATE/controller
SlurmdSpoolDir=$STATE/spool.%n
SlurmctldPidFile=$STATE/slurmctld.pid
SlurmdPidFile=$STATE/%n.pid
SlurmctldLogFile=$STATE/log/slurmctld.log
SlurmdLogFile=$STATE/log/%n.log
SlurmdParameters=config_overrides
SchedulerParameters=bf_interval=5,sched_min_interval=100000
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
MinJobAge=1800
KillWait=5
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName=luss1 NodeHostname=$host NodeAddr=127.0.0.1 Port=16818 CPUs=$CPUS RealMemory=$MEM_MB Gres=gpu:fake:$GPUS
NodeName=luss2 NodeHostname=$host NodeAddr=127.0.0.1 Port=16819 CPUs=$CPUS RealMemory=$MEM_MB Gres=gpu:fake:$GPUS
PartitionName=cpu Nodes=luss[1-2] Default=YES MaxTime=2-00:00:00 DefMemPerCPU=500
PartitionName=gpu Nodes=luss[1-2] MaxTime=2-00:00:00 DefMemPerCPU=500
END
  printf '%s\nName=gpu Type=fake File=%s/gpu[0-%d]\n' "$MARK" "$STATE" $((GPUS - 1)) >/etc/slurm/gres.conf
}

start_slurm() {
  slurmctld -i
  wait_for 20 scontrol ping
  cat "$STATE/slurmctld.pid" >>"$STATE/pids"
  local node
  for node in luss1 luss2; do
    slurmd -N $node
    wait_for 20 test -s "$STATE/$node.pid"
    cat "$STATE/$node.pid" >>"$STATE/pids"
  done
  wait_for 30 bash -c '[ "$(sinfo --noheader --states idle --format %D --partition cpu)" = 2 ]'
}

[ "$(id -u)" = 0 ] || cannot "SLURM can only be set up by root"
if [ -f "$CONF" ] && ! grep -qxF "$MARK" "$CONF"; then
  cannot "there is a $CONF of another SLURM, which is left alone"
fi
if [ -f "$CONF" ] && scontrol ping 2>/dev/null | grep -q "is UP"; then
  echo "SLURM is up already"
  exit
fi
STATE=$STATE "$HERE/slurm_down.sh" # what an earlier start left behind
[ "$GPUS" -ge 1 ] || { echo "error: GPUS must be 1 or more, found $GPUS" >&2; exit 2; }
install_slurm
mkdir -p "$STATE"/{controller,log,spool.luss1,spool.luss2} /etc/slurm
trap 'STATE=$STATE "$HERE/slurm_down.sh"' EXIT # unless all of it is up
start_munge
write_configuration
start_slurm
trap - EXIT
echo "SLURM is up: $(sinfo --noheader --format '%P %c cores, %m MB, %G' | tr '\n' ';') its logs are in $STATE/log"
