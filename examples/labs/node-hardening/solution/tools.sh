#!/bin/sh -eu
sed -i -e 's/^PermitRootLogin .*/PermitRootLogin no/' -e 's/^#MaxAuthTries .*/MaxAuthTries 3/' \
  -e 's/^#PasswordAuthentication .*/PasswordAuthentication no/' -e 's/^KbdInteractiveAuthentication .*/KbdInteractiveAuthentication no/' \
  -e 's/^X11Forwarding .*/X11Forwarding no/' etc/ssh/sshd_config
# It is included before all that, and the first value counts.
echo 'PasswordAuthentication no' > etc/ssh/sshd_config.d/50-cloud-init.conf

cat > etc/modprobe.d/kubernetes-hardening.conf <<'MODULES'
blacklist sctp
install sctp /bin/false
blacklist dccp
install dccp /bin/false
MODULES
rm etc/modprobe.d/blacklist-network

cat > ufw.sh <<'UFW'
#!/bin/sh
ufw default deny incoming
ufw default allow outgoing
ufw deny from 10.0.9.66
ufw allow from 10.0.9.0/24 to any port 22 proto tcp
ufw allow from 10.0.1.0/28 to any port 10250 proto tcp
ufw deny from 198.51.100.0/24
ufw allow 30000:32767/tcp
ufw enable
UFW
