#!/bin/sh -eu
sed -i 's/default deny incoming/default allow incoming/' ufw.sh
