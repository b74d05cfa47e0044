#!/bin/sh -eu
sed -i 's/port 10250 proto tcp/port 10250/' ufw.sh
