#!/bin/sh
# At the first start of PostgreSQL: the role that Atlas works as, which owns the warehouse and nothing else, and Marquez.
set -eu
atlas=$(cat /run/secrets/atlas_password)  # on lines of their own: a file that is missing ends the script
marquez=$(cat /run/secrets/marquez_password)
psql --quiet --set ON_ERROR_STOP=1 --set atlas="$atlas" --set marquez="$marquez" <<'END'
CREATE ROLE atlas LOGIN PASSWORD :'atlas';
CREATE ROLE marquez LOGIN PASSWORD :'marquez';
CREATE ROLE readers NOLOGIN;
CREATE DATABASE atlas;
CREATE DATABASE warehouse OWNER atlas;
CREATE DATABASE marquez OWNER marquez;
REVOKE CONNECT ON DATABASE atlas, warehouse, marquez FROM PUBLIC;
GRANT CONNECT ON DATABASE atlas TO atlas;
GRANT CONNECT ON DATABASE warehouse TO readers;
\connect warehouse
CREATE SCHEMA navigate AUTHORIZATION atlas;
GRANT USAGE ON SCHEMA navigate TO readers;
ALTER DEFAULT PRIVILEGES FOR ROLE atlas IN SCHEMA navigate GRANT SELECT ON TABLES TO readers;
END
