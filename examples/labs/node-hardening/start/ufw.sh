#!/bin/sh
# The firewall of worker-1: commands of ufw, one in a line, run in this order after a reset.
ufw default allow outgoing
ufw allow 22
ufw deny 1000:15000 proto tcp
ufw deny from 10.0.9.66
ufw enable
