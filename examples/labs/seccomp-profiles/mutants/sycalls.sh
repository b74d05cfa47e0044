#!/bin/sh -eu
sed -i.bak s/syscalls/sycalls/ profiles/report.json
