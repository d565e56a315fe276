# Firewall of the all-in-one zone, written by talkbutton from talkbutton.toml.
# ufw can neither limit connections for each address at a rate that suits websites, nor
# fence what this machine says to itself: the nftables form does both.
set -e
ufw allow proto tcp from 192.0.2.0/24 to any port 22 comment SSH
ufw allow proto tcp from any to any port 5349 comment 'TURN over TLS'
ufw allow proto tcp from any to any port 3478 comment TURN
ufw allow proto udp from any to any port 3478 comment TURN
ufw allow proto udp from any to any port 30000:34999 comment 'browsers'"'"' media (Janus)'
ufw allow proto tcp from any to any port 443 comment 'the edge'
ufw deny out proto udp from any port 40000:40999 to any comment 'coturn relays to nothing else'
ufw default deny incoming
ufw default deny routed
ufw default allow outgoing
ufw --force enable
