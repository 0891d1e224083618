#!/bin/sh
# Runs a guichet command with the account, folder and settings of the service. Installed as /usr/local/sbin/guichet.
# SETTINGS=FILE before a command: other settings, as a rehearsal of a restore has.
exec runuser -u guichet -- env HOME=/var/lib/guichet SETTINGS="${SETTINGS:-/etc/guichet/guichet.env}" sh -c \
    'cd && set -a && . "$SETTINGS" && exec /opt/guichet/bin/guichet "$@"' guichet "$@"
