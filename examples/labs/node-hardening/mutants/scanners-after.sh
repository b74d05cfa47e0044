#!/bin/sh -eu
sed -i '/198.51.100/d' ufw.sh
echo 'ufw deny from 198.51.100.0/24' >> ufw.sh
