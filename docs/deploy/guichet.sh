#!/bin/sh
# Runs a guichet command with the account, folder and settings of the service. Installed as /usr/local/sbin/guichet.
exec runuser -u guichet -- env HOME=/var/lib/guichet sh -c \
    'cd && set -a && . /etc/guichet/guichet.env && exec /opt/guichet/bin/guichet "$@"' guichet "$@"
