#!/bin/sh
# Run once by the image of PostgreSQL, on an empty volume: the account of the portal owns its database and nothing else on the server.
set -eu
psql --set ON_ERROR_STOP=1 --set password="$(cat /run/secrets/database.password)" --username postgres --quiet <<'SQL'
CREATE ROLE guichet LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'password';
CREATE DATABASE guichet OWNER guichet ENCODING 'UTF8' TEMPLATE template0;
REVOKE CONNECT ON DATABASE guichet FROM PUBLIC;
SQL
