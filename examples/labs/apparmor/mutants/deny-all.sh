#!/bin/sh -eu
cat > apparmor/catalog <<'PROFILE'
profile catalog-read-only flags=(attach_disconnected) {
  file,
  deny /** w,
  /tmp/** rw,
  /var/cache/catalog/** rw,
}
PROFILE
