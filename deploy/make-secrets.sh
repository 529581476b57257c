#!/bin/sh
# Makes what docker-compose.yml keeps secret: a file each, with passwords that nobody has seen. What is there stays.
set -eu
cd "$(dirname "$0")/secrets"
umask 077
chmod 700 .

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
# readable by whatever user a container has; the folder is not for anybody else of this machine
keep() { if [ -e "$1" ]; then cat >/dev/null; else cat >"$1.new"; chmod 444 "$1.new"; mv "$1.new" "$1"; fi; }

for name in postgres_password atlas_password marquez_password redis_password masking_key; do
  random | keep "$name"
done
printf 'postgresql://postgres:%s@postgres:5432/atlas' "$(cat postgres_password)" | keep owner_database_url
printf 'postgresql://atlas:%s@postgres:5432/atlas' "$(cat atlas_password)" | keep database_url
printf 'postgresql://atlas:%s@postgres:5432/warehouse' "$(cat atlas_password)" | keep warehouse_url
printf 'redis://:%s@redis:6379/0' "$(cat redis_password)" | keep broker_url
printf 'requirepass %s\nsave ""\nappendonly no\n' "$(cat redis_password)" | keep redis.conf
keep marquez.yml <<END
server:
  applicationConnectors: [{type: http, port: 5000}]
  adminConnectors: [{type: http, port: 5001}]
db:
  driverClass: org.postgresql.Driver
  url: jdbc:postgresql://postgres:5432/marquez
  user: marquez
  password: $(cat marquez_password)
migrateOnStartup: true
graphql: {enabled: false}
END
echo "The secrets are in $PWD. Keep a copy of masking_key elsewhere: without it no hash joins any more."
