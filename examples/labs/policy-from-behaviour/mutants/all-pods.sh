#!/bin/sh -eu
names=$(sed 's/.*"eventName":"\([a-z0-9_]*\)".*/\1/' trace.jsonl | grep -v '^security_\|^cap_\|^sched_process' | sort -u | sed 's/.*/"&"/' | paste -sd, -)
sed -i "s/\"names\": \[.*\],/\"names\": [$names],/" ledger.json
