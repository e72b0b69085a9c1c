# What docker/verify works with: its table, its machines and their containers, the stack, the load. Read by it, with
# changes.sh beside it. Machine 1 is the one with the volumes, where commands are given.

state=gaceta.state
name_of() { echo "gaceta_$1"; }

step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
fail() { echo "docker/verify: $*" >&2; exit 1; }
now_ms() { date +%s%3N; }
# Seconds since that many milliseconds, to a tenth.
since() { awk "BEGIN { printf \"%.1f\", ($(now_ms) - $1) / 1000 }"; }

# ---- The table. ----

rows=() missed=0
# row WHAT TARGET MEASURED met|NOT MET
row() {
  rows+=("| $1 | $2 | $3 | $4 |")
  printf '  %s: %s (%s): %s\n' "$1" "$3" "$2" "$4"
  [ "$4" = met ] || missed=1
}
# told WHAT MEASURED: without a target.
told() {
  rows+=("| $1 | | $2 | |")
  printf '  %s: %s\n' "$1" "$2"
}
# at_most WHAT MEASURED LIMIT UNIT
at_most() {
  local verdict='NOT MET'
  awk "BEGIN { exit !($2 <= $3) }" && verdict=met
  row "$1" "at most $3 $4" "$2 $4" "$verdict"
}

# ---- Machines: their engines, and what runs on them. ----

socket() { if [ "$machines" = 1 ]; then echo "$engine"; else echo "unix://$LAB/machines/n$1/docker.sock"; fi; }
on() { local machine=$1; shift; DOCKER_HOST=$(socket "$machine") docker "$@"; }
away='' # machines that are cut off or down: what runs there counts for nothing

# each SERVICE [FILTER…]: a line "MACHINE CONTAINER" for each running container of it.
each() {
  local service=$1 i id
  shift
  for i in $(seq "$machines"); do
    [[ " $away " != *" $i "* ]] || continue
    for id in $(on "$i" ps -q --filter "label=com.docker.swarm.service.name=$(name_of "$service")" "$@"); do echo "$i $id"; done
  done
}
healthy() { each "$1" --filter health=healthy | wc -l; }
only_container() { on 1 ps -q --filter "label=com.docker.swarm.service.name=$(name_of "$1")" | head -n 1; }
gaceta() { on 1 exec -i "$(only_container client)" gaceta --timeout 5s "$@" </dev/null; }

# until WHAT SECONDS COMMAND…: asked again and again. Leaves in $took_s how long it took.
until_true() {
  local what=$1 seconds=$2 begun
  shift 2
  begun=$(now_ms)
  until "$@" >/dev/null 2>&1; do
    [ $(($(now_ms) - begun)) -lt $((seconds * 1000)) ] || fail "not within $seconds s: $what"
    sleep 0.05
  done
  took_s=$(since "$begun")
}
are_healthy() { [ "$(healthy "$1")" = "$2" ]; }
wait_healthy() { until_true "$2 healthy containers of $1" "${3:-120}" are_healthy "$1" "$2"; }
settled() {
  wait_healthy db 1 180
  wait_healthy agent 2
  wait_healthy node 3
}
is_updated() { [[ $(on 1 service inspect "$(name_of "$1")" --format '{{with .UpdateStatus}}{{.State}}{{end}}') == "$2" ]]; }

# ---- The Swarm and the stack. ----

make_swarm() {
  local i
  if [ "$machines" = 1 ]; then
    on 1 swarm init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1:2377 >/dev/null
  else
    docker/lab/machines up "$machines"
    images=10.77.0.11:5000/gaceta
  fi
  on 1 node update --label-add $state=true "$(on 1 info --format '{{.Swarm.NodeID}}')" >/dev/null
  rm -rf "$files"
  mkdir -p "$files/history"
  chmod 777 "$files/history"
  new_password 1 | on 1 secret create gaceta_database_password_1 - >/dev/null
  openssl rand -hex 12 > "$files/admin-password"
  on 1 secret create gaceta_admin_password_1 "$files/admin-password" >/dev/null
  printf 'postgres://gaceta_%s:%s@db/gaceta\n' $observer "$(new_password $observer)" > "$files/database-url"
}

version=1   # of the database's password
observer=99 # the role by which the load reads, straight from the tables, how it ended
new_password() { openssl rand -hex 24 | tr -d '\n' | tee "$LAB/password-$1"; }
make_role() { on 1 exec -i "$(only_container db)" gaceta-db-role "$1" < "$LAB/password-$1"; }

# deploy TAG [DB_TAG]
deploy() {
  DOCKER_HOST=$(socket 1) GACETA_IMAGES=$images GACETA_TAG=$1 GACETA_DB_TAG=${2:-first} GACETA_ARCHIVE_MODE=on \
    GACETA_DATABASE_PASSWORD_VERSION=$version docker stack deploy --with-registry-auth -c stack.yml gaceta >"$LAB/deploy.log" 2>&1 ||
    { cat "$LAB/deploy.log" >&2; exit 1; }
}
scale() { on 1 service scale --detach "$(name_of "${1%=*}")=${1#*=}" >/dev/null; }

check_sizes() {
  local image bytes unit limit
  while read -r image bytes unit; do
    case $image in
      */agent:* | */node:*) limit=15 ;;
      */client:*) limit=25 ;;
      */db:*) told "image of db" "$bytes $unit"; continue ;;
      *) continue ;;
    esac
    image=${image##*/}
    at_most "image of ${image%:*}" "$bytes" $limit "$unit"
  done < "$1"
}

# What each container has in memory when nobody does anything; Docker leaves out what the kernel could give back at once.
check_memory() {
  local service i id used
  sleep 10 # that much rest, at least
  for service in agent node client db; do
    # The largest; without a figure above 0 for each container there is none.
    used=$(each "$service" | while read -r i id; do on "$i" stats --no-stream --format '{{.MemUsage}}' "$id"; done |
      awk '{ mib = $1 + 0; if ($1 ~ /KiB/) mib /= 1024; if ($1 ~ /GiB/) mib *= 1024; if (mib > max) max = mib; if (mib <= 0) none = 1 }
           END { if (NR == 0 || none) print "unknown"; else printf "%.1f", max * 1.048576 }')
    [ "$used" != unknown ] || fail "the engine does not say what $service has in memory"
    case $service in
      agent | node) at_most "memory of each $service at rest" "$used" 25 MB ;;
      *) told "memory of $service at rest" "$used MB" ;;
    esac
  done
}

# ---- The load, and what is done under it. ----

start_load() {
  make_role $observer
  coproc LOAD {
    DOCKER_HOST=$(socket 1) exec docker run --rm -i --name gaceta-proof --network gaceta_gaceta -v "$files:/files" \
      "$images/proof:first" --against agent:8000 --database-url-file /files/database-url \
      --admin-password-file /files/admin-password --history /files/history/history.jsonl 2>"$LAB/load.log"
  }
  # Kept, since the shell forgets them when the load has ended.
  load_pid=$LOAD_PID load_says=${LOAD[0]} load_hears=${LOAD[1]}
  hear ready 120
}
# hear WORD SECONDS: prints the load's lines until one begins with it.
hear() {
  local line
  while read -r -t "$2" -u "$load_says" line; do
    echo "  $line"
    case $line in "$1"*) return ;; esac
  done
  cat "$LAB/load.log" >&2
  fail "the load does not say $1"
}

phases=0
# run WHAT COMMAND…: a phase of its own for the load, whose people must notice nothing.
run() { phase begin "$@"; }
run_without_database() { phase begin-without-database "$@"; }
phase() {
  local mark=$1 what=$2
  shift 2
  [[ -z $only || $what == *"$only"* ]] || return 0
  phases=$((phases + 1))
  printf '\n-- %s (%d s)\n' "$what" "$SECONDS"
  # What touches a phase without a database is excused: so everything from before it has come to its end first.
  [ "$mark" = begin ] || sleep 11
  echo "$mark $what" >&"$load_hears"
  hear began 20
  "$@"
  sleep 4 # what it causes may come a little later
  echo end >&"$load_hears"
  hear ended 60
}

# ---- The end. ----

# End of input: the load comes to rest, and its history is judged.
judge() {
  local code=0
  [ $phases -gt 0 ] || fail "nothing is called $only"
  step "the history"
  exec {load_hears}>&-
  timeout 300 cat <&"$load_says" > "$LAB/judged" || true
  wait "$load_pid" || code=$?
  cat "$LAB/judged"
  if [ $code != 0 ]; then
    missed=1
    cat "$LAB/load.log" >&2
    cp "$files/history/history.jsonl" "$LAB/" 2>/dev/null && echo "the history is in $LAB/history.jsonl" >&2
  fi
}

finish() {
  local code=$1
  set +e
  trap - EXIT
  trap '' INT TERM # what was begun is taken away, however often one asks
  if [ ${#rows[@]} -gt 0 ]; then
    printf '\n| what | target | measured | |\n| --- | --- | --- | --- |\n'
    printf '%s\n' "${rows[@]}"
  fi
  [ "$code" = 0 ] || for service in agent node db; do
    on 1 service logs --tail 20 "$(name_of $service)" 2>&1 | tail -n 40
    on 1 service ps --no-trunc "$(name_of $service)" --format '{{.Name}} {{.DesiredState}} {{.CurrentState}} {{.Error}}' | head -n 12
  done >&2
  on 1 rm -f gaceta-proof >/dev/null 2>&1
  if [ "$machines" = 1 ]; then
    on 1 stack rm gaceta >/dev/null 2>&1
    for _ in $(seq 300); do [ -z "$(on 1 ps -q --filter label=com.docker.stack.namespace=gaceta)" ] && break; sleep 0.1; done
    on 1 swarm leave --force >/dev/null 2>&1
    on 1 container prune --force >/dev/null 2>&1
    on 1 volume rm gaceta_db gaceta_archive gaceta_home >/dev/null 2>&1
  else
    docker/lab/machines down
  fi
  rm -rf "$files" "$LAB"/password-*
  if [ -z "$keep" ]; then
    if [ "$code$missed" = 00 ]; then docker/lab/engine erase; else docker/lab/engine down; fi
  fi
  [ "$code" = 0 ] && [ "$missed" = 0 ] && { printf '\nevery target was met (%d s)\n' "$SECONDS"; exit 0; }
  exit $((code == 0 ? 1 : code))
}
