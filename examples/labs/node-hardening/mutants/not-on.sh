#!/bin/sh -eu
sed -i '/enable/d' ufw.sh
