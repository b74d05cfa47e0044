#!/bin/sh -eu
# All of ours in a file that is included first; the included one of others goes; the
# older names of keywords; rules inserted, replaced and deleted.
rm etc/ssh/sshd_config.d/50-cloud-init.conf
printf 'permitrootlogin="no"\r\nPasswordAuthentication = no # keys\r\nChallengeResponseAuthentication NO\r\nMaxAuthTries 3\r\nX11Forwarding no\r\nMatch all\r\n' > etc/ssh/sshd_config.d/00-ours.conf
cat > etc/modprobe.d/blacklist.conf <<'MODULES'
blacklist pcspkr
	blacklist   dccp
blacklist \
sctp
install sctp /bin/true # never
install dccp /usr/bin/true
MODULES
cat > ufw.sh <<'UFW'
set -e
sudo ufw --force reset
sudo ufw --force enable
sudo ufw default reject incoming
ufw limit proto tcp from 10.0.9.0/24 to any port ssh comment 'the bastion'
ufw insert 1 reject from 10.0.9.66 to any port 22
ufw allow 80/tcp
ufw deny 30000:32767/tcp
ufw allow 30000:32767/tcp
ufw prepend deny in from 198.51.100.0/24
ufw allow in on eth0 from 10.0.1.0/28 to any port 10250 proto tcp
ufw delete allow 80/tcp
ufw status verbose
UFW
