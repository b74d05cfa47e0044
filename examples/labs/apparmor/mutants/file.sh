#!/bin/sh -eu
sed -i.bak 's|^  /\*\* rmix,|  file,|' apparmor/catalog
