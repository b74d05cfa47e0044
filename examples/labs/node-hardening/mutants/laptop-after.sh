#!/bin/sh -eu
sed -i '/10.0.9.66/d' ufw.sh
echo 'ufw deny from 10.0.9.66' >> ufw.sh
