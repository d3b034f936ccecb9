#!/usr/bin/env bash
# Throw-away PostgreSQL and Redis for tests: unix sockets only, in short directories under /tmp.
#   services.sh start ADDRESS_FILE [MIGRATE_PROGRAM]   shared servers of one ctest run, with the migrated template database
#   services.sh stop ADDRESS_FILE
#   services.sh pg-new DIR PRISTINE     a private cluster copied from PRISTINE, with the migrated database "sensus"
#   services.sh pg-start DIR | pg-stop DIR MODE | pg-kill DIR | remove DIR
#   services.sh redis-start DIR | redis-stop DIR | redis-kill DIR
set -euo pipefail
umask 022

pg_bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1)
[ -n "$pg_bin" ] || pg_bin=$(pg_config --bindir)

# PostgreSQL refuses to run as root.
as_pg() {
  if [ "$(id -u)" = 0 ]; then
    (cd / && setpriv --reuid postgres --regid postgres --init-groups -- "$@")
  else
    (cd / && "$@")
  fi
}

new_directory() {
  local dir
  dir=$(mktemp -d /tmp/sns.XXXXXX)
  chmod 755 "$dir"
  [ "$(id -u)" != 0 ] || chown postgres "$dir"
  echo "$dir"
}

pg_init() {
  local dir=$1
  as_pg "$pg_bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1
  # Durability is off: these clusters never outlive a run. The zone is not UTC so that code which forgets to say UTC fails.
  as_pg tee -a "$dir/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = ''
fsync = off
full_page_writes = off
synchronous_commit = on
wal_level = minimal
max_wal_senders = 0
max_connections = 200
max_locks_per_transaction = 128
shared_buffers = 64MB
timezone = 'Asia/Kathmandu'
log_min_messages = warning
log_line_prefix = '%m [%p] %d %a: '
CONF
}

pg_start() {
  local dir=$1
  as_pg "$pg_bin/pg_ctl" -D "$dir/data" -w -t 60 -s -l "$dir/postgres.log" -o "-k $dir" start >/dev/null 2>&1 </dev/null || {
    tail -20 "$dir/postgres.log" >&2
    return 1
  }
}

pg_stop() {
  [ ! -f "$1/data/postmaster.pid" ] || as_pg "$pg_bin/pg_ctl" -D "$1/data" -w -t 30 -s -m "${2:-fast}" stop >/dev/null 2>&1 || true
}

pg_kill() {
  local pid
  pid=$(head -1 "$1/data/postmaster.pid" 2>/dev/null) || return 0
  kill -9 "$pid" 2>/dev/null || true
  # Its children hold the shared memory until they notice; a new postmaster refuses to start before.
  for _ in $(seq 100); do
    pgrep -P "$pid" >/dev/null 2>&1 || kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
}

psql_as_admin() {
  psql -X -q -v ON_ERROR_STOP=1 -h "$1" -U postgres -d "$2" -c "$3"
}

redis_start() {
  local dir=$1
  redis-server --port 0 --unixsocket "$dir/redis.sock" --save "" --appendonly no --enable-debug-command yes \
    --dir "$dir" --daemonize yes --pidfile "$dir/redis.pid" --logfile "$dir/redis.log" >/dev/null 2>&1 </dev/null
  for _ in $(seq 200); do
    if [ "$(redis-cli -s "$dir/redis.sock" ping 2>/dev/null)" = PONG ]; then return 0; fi
    sleep 0.05
  done
  echo "redis-server did not start; see $dir/redis.log" >&2
  return 1
}

redis_signal() {
  local pid
  pid=$(cat "$1/redis.pid" 2>/dev/null) || return 0
  # A pid of an earlier boot may belong to somebody else by now.
  grep -q redis-server "/proc/$pid/cmdline" 2>/dev/null || return 0
  kill "-$2" "$pid" 2>/dev/null || return 0
  # By its command line: where nobody reaps orphans, kill -0 finds a dead one for ever.
  for _ in $(seq 200); do
    grep -q redis-server "/proc/$pid/cmdline" 2>/dev/null || break
    sleep 0.02
  done
  rm -f "$1/redis.pid" "$1/redis.sock"
}

remove_directory() {
  case "$1" in
    /tmp/sns.??????) rm -rf "$1" ;;
    *) echo "not a directory of ours: $1" >&2; return 1 ;;
  esac
}

stop_all() {
  local file=$1 dir
  [ -f "$file" ] || return 0
  dir=$(sed -n 's/^directory=//p' "$file")
  if [ -n "$dir" ] && [ -d "$dir" ]; then
    redis_signal "$dir" KILL
    pg_stop "$dir" immediate
    remove_directory "$dir"
  fi
  rm -f "$file"
}

migrate_template() {
  local dir=$1 program=$2
  psql_as_admin "$dir" postgres 'create database sensus_test_template'
  if [ -x "$program" ]; then
    "$program" "host=$dir user=postgres dbname=sensus_test_template"
  else
    echo "no $program: the template database stays empty; build the target sensus_test_migrate" >&2
  fi
  psql_as_admin "$dir" postgres 'create database sensus template sensus_test_template'
}

start_all() {
  local file=$1 program=${2:-} dir
  stop_all "$file" # A run that was killed leaves its servers behind.
  dir=$(new_directory)
  echo "directory=$dir" >"$file"
  redis_start "$dir"
  pg_init "$dir"
  pg_start "$dir"
  migrate_template "$dir" "$program"
  # Private clusters of fault tests are copies of this one.
  pg_stop "$dir" fast
  as_pg cp -a "$dir/data" "$dir/pristine"
  pg_start "$dir"
}

command=${1:-}
shift || true
case "$command" in
  start) start_all "$@" ;;
  stop) stop_all "$@" ;;
  new-directory) new_directory ;;
  pg-new) as_pg cp -a "$2" "$1/data" && pg_start "$1" ;;
  pg-start) pg_start "$1" ;;
  pg-stop) pg_stop "$@" ;;
  pg-kill) pg_kill "$1" ;;
  redis-start) redis_start "$1" ;;
  redis-stop) redis_signal "$1" TERM ;;
  redis-kill) redis_signal "$1" KILL ;;
  remove) remove_directory "$1" ;;
  *) sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
