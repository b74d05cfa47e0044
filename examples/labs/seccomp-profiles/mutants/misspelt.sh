#!/bin/sh -eu
sed -i.bak 's/"openat"/"openatt"/' profiles/report.json
