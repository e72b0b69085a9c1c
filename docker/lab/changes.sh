# What docker/verify does to the stack under load, a function for each; it is read by it, after verify.sh.

scale_out() {
  scale node=5
  wait_healthy node 5
  told "5 nodes instead of 3" "$took_s s"
}

scale_in() {
  scale node=2
  wait_healthy node 2
  told "2 nodes instead of 5" "$took_s s"
  scale node=3
  wait_healthy node 3
}

# replaced WHAT SERVICE MACHINE CONTAINER: kills it, and waits until another one serves; and until Docker has found that out,
# which it does at its next look.
replaced() {
  local what=$1 service=$2 machine=$3 id=$4 count begun
  count=$(healthy "$service")
  begun=$(now_ms)
  on "$machine" kill "$id" >/dev/null
  is_replaced() { [ -z "$(each "$service" | grep -F "$id")" ] && [ "$(serving "$service")" = "$count" ]; }
  until_true "$what is replaced" 60 is_replaced
  at_most "$what killed, until another one serves" "$(since "$begun")" 3 s
  wait_healthy "$service" "$count"
  told "$what killed, until Docker says that another one is healthy" "$(since "$begun") s"
}
# How many containers of a service say themselves that all is well.
serving() {
  local check i id
  case $1 in
    db) check=(pg_isready --quiet --host /run/postgresql) ;; # its health is good while it recovers, too
    *) check=("/usr/local/bin/gaceta-$1" healthcheck) ;;
  esac
  each "$1" | while read -r i id; do on "$i" exec "$id" "${check[@]}" >/dev/null 2>&1 </dev/null && echo "$id"; done | wc -l
}
kill_one() {
  local machine id
  read -r machine id < <(each "$1")
  replaced "$1" "$1" "$machine" "$id"
}
# An agent's address is its host's name, which is its container's id.
kill_leader() {
  local id machine
  id=$(gaceta --json admin agent list | grep -Eo '"address":"[0-9a-f]+:8000","id":"[^"]*","leads":true' | grep -Eo '[0-9a-f]{12}' | head -n 1)
  machine=$(each agent | awk -v id="$id" '$2 == id { print $1 }')
  [ -n "$machine" ] || fail "no container leads"
  replaced "leading agent" agent "$machine" "$id"
}

# update TAG DB_TAG
tag_now=first
update() {
  local begun service
  begun=$(now_ms)
  tag_now=$1
  deploy "$1" "$2"
  for service in agent node; do until_true "$service updated" 180 runs "$service" "$1"; done
  until_true "client updated" 60 runs client "$1"
  until_true "db updated" 120 runs db "$2"
  told "stack deploy with tag $1, db $2, until all is healthy" "$(since "$begun") s"
}
# Every container of a service is of this tag, and as many are healthy as there should be.
runs() {
  local service=$1 tag=$2 want
  want=$(on 1 service inspect "$(name_of "$service")" --format '{{.Spec.Mode.Replicated.Replicas}}')
  [ "$(each "$service" | wc -l)" = "$want" ] || return 1
  [ "$service" = client ] || are_healthy "$service" "$want" || return 1
  [ "$(each "$service" | while read -r i id; do on "$i" inspect --format '{{.Config.Image}}' "$id"; done | grep -c ":$tag")" = "$want" ]
}

roll_back() {
  local service begun
  begun=$(now_ms)
  for service in agent node; do on 1 service rollback --detach "$(name_of $service)" >/dev/null; done
  for service in agent node; do until_true "$service rolled back" 180 runs $service first; done
  told "agents and nodes rolled back" "$(since "$begun") s"
  deploy second first # the client, too, is at the second, and stays
  for service in agent node; do until_true "$service updated" 180 runs $service second; done
  tag_now=second
}

# A node that cannot find an agent never becomes healthy: the Swarm takes the update back by itself.
broken_update() {
  on 1 service update --detach --health-start-period 3s --health-retries 2 --env-add GACETA_AGENTS=nowhere:8000 "$(name_of node)" >/dev/null
  until_true "the broken update is taken back" 180 is_updated node rollback_completed
  told "update that cannot start, until it is taken back by itself" "$took_s s"
  wait_healthy node 3
  [ "$(on 1 service inspect gaceta_node --format '{{json .Spec.TaskTemplate.ContainerSpec.Env}}' | grep -c nowhere)" = 0 ] ||
    fail "the broken update is still there"
}

rotate_password() {
  version=2
  new_password 2 | on 1 secret create gaceta_database_password_2 - >/dev/null
  make_role 2
  deploy "$tag_now" first
  for service in agent node; do until_true "$service has the new password" 180 has_secret $service gaceta_database_password_2; done
  settled
  no_first_role() { [ "$(in_database "select count(*) from pg_stat_activity where usename = 'gaceta_1'")" = 0 ]; }
  until_true "nobody uses the old role" 60 no_first_role
  on 1 exec "$(only_container db)" gaceta-db-role --drop 1
}
has_secret() { is_updated "$1" completed && on 1 service inspect "$(name_of "$1")" --format '{{json .Spec.TaskTemplate.ContainerSpec.Secrets}}' | grep -q "$2"; }
in_database() { on 1 exec "$(only_container db)" psql -XAtc "$1" gaceta; }

# ---- Machines that are lost. ----

# What the Swarm still has is everything.
lose() {
  local machine=$1 what=$2
  away=$machine
  until_true "all runs on the other machines" 180 all_there
  told "$what, until all runs on the others" "$took_s s"
}
all_there() { are_healthy agent 2 && are_healthy node 3; }
cut_machine() {
  docker/lab/machines cut "$1"
  lose "$1" "machine cut off"
  docker/lab/machines mend "$1"
  away=''
  until_true "what ran twice is ended" 120 all_there
}
crash_machine() {
  docker/lab/machines crash "$1"
  lose "$1" "machine crashed"
  docker/lab/machines start "$1"
  away=''
  is_ready() { [ "$(on 1 node ls --format '{{.Hostname}} {{.Status}}' | grep -c 'Ready')" = "$machines" ]; }
  until_true "the machine is back" 120 is_ready
  until_true "all is there" 120 all_there
}
drain_machine() {
  on 1 node update --availability drain "n$1" >/dev/null
  is_empty() { [ -z "$(on "$1" ps -q --filter label=com.docker.swarm.service.name)" ] && all_there; }
  until_true "the machine is empty" 120 is_empty "$1"
  told "machine drained, until nothing runs there" "$took_s s"
  on 1 node update --availability active "n$1" >/dev/null
}

# ---- Another volume. ----

stop_service() {
  scale agent=0
  scale node=0
  until_true "agents and nodes have stopped" 60 all_stopped
}
all_stopped() { [ -z "$(each agent)$(each node)" ]; }
# As if the disk were gone.
lose_volume() {
  scale db=0
  no_database() { [ -z "$(each db)" ]; }
  until_true "the database has stopped" 90 no_database
  on 1 container prune --force --filter label=com.docker.swarm.service.name=gaceta_db >/dev/null
  until_true "the volume is free" 30 on 1 volume rm gaceta_db
}
start_service() {
  scale agent=2
  scale node=3
  settled
}
dump_and_restore() {
  stop_service
  on 1 exec "$(only_container db)" pg_dump --format custom gaceta > "$LAB/gaceta.dump"
  lose_volume
  scale db=1
  wait_healthy db 1
  on 1 exec -i "$(only_container db)" pg_restore --dbname gaceta --no-owner --role gaceta --exit-on-error < "$LAB/gaceta.dump"
  make_role $version # roles are no part of a dump
  make_role $observer
  start_service
  told "pg_dump of the test's database" "$(stat -c %s "$LAB/gaceta.dump" | awk '{ printf "%.1f", $1 / 1e6 }') MB"
}
restore_from_archive() {
  timeout 120 docker -H "$(socket 1)" exec "$(only_container db)" gaceta-db-backup
  lose_and_restore
  start_service
}
# lose_and_restore [MOMENT]: of the cluster that is there, with all that it has written.
lose_and_restore() {
  local cluster last
  stop_service
  cluster=$(in_database "select system_identifier from pg_control_system()")
  last=$(in_database "select pg_walfile_name(pg_current_wal_lsn())")
  in_database "select pg_switch_wal()" >/dev/null
  is_archived() { [[ ! $(in_database "select last_archived_wal from pg_stat_archiver") < $last ]]; }
  until_true "the last segment is archived" 60 is_archived
  lose_volume
  on 1 run --rm -v gaceta_db:/var/lib/postgresql -v gaceta_archive:/archive "$images/db:first" \
    gaceta-db-restore --cluster "$cluster" "$@"
  scale db=1
  until_true "the database has applied the log" 120 serves db 1
}
serves() { [ "$(serving "$1")" = "$2" ]; }

# Three articles, and back to the moments between them: first to the earlier one, then to the later, which the first restore
# left on another timeline.
restore_to_moments() {
  local earlier later
  gaceta subscribe town >/dev/null
  timeout 120 docker -H "$(socket 1)" exec "$(only_container db)" gaceta-db-backup
  gaceta post town "restored: one" >/dev/null
  earlier=$(moment)
  gaceta post town "restored: two" >/dev/null
  later=$(moment)
  gaceta post town "restored: three" >/dev/null
  restored_has "$earlier" one
  restored_has "$later" one two
  row "restored to a moment, and then to a later one" "what was posted before, and nothing else" "so it was" met
}
# Seconds are what an administrator says; so nothing else happens in this one.
moment() { sleep 1.1; date -u +%Y-%m-%dT%H:%M:%SZ; sleep 1.1; }
# restored_has MOMENT WORD…: those articles, and no others.
restored_has() {
  local at=$1 found
  shift
  lose_and_restore "$at"
  on 1 exec "$(only_container db)" gaceta-db-restored
  start_service
  on 1 exec -i "$(only_container client)" gaceta login admin --password-stdin < "$files/admin-password" >/dev/null
  found=$(gaceta --json read town --all --keep --limit 1000 | grep -Eo 'restored: [a-z]+' | sed 's/.* //' | xargs)
  [ "$found" = "$*" ] || fail "restored to $at: found '$found' instead of '$*'"
  gaceta verify town | grep -q ' 0 missing' || fail "restored to $at: articles are missing"
}
