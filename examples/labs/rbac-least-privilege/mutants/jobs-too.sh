#!/bin/sh -eu
sed -e 's/\[cronjobs\]/[cronjobs, jobs]/' -e 's/\[pods\]/[pods, events]/' role.yaml | kubectl --kubeconfig admin.conf apply -f -
