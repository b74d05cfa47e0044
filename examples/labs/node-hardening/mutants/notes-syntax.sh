#!/bin/sh -eu
sed -i 's/^ufw allow 30000.*/&\nufw deny 1000:15000 proto tcp/' ufw.sh
