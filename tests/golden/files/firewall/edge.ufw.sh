# Firewall of the edge zone, written by talkbutton from talkbutton.toml.
# ufw can neither limit connections for each address at a rate that suits websites, nor
# fence what this machine says to itself: the nftables form does both.
set -e
ufw allow proto tcp from 192.0.2.0/24 to any port 22 comment SSH
ufw allow proto udp from 10.1.0.3 to any port 20000:24999 comment 'call media from Asterisk'
ufw allow proto udp from fd00::3 to any port 20000:24999 comment 'call media from Asterisk'
ufw allow proto udp from 10.1.0.3 port 5060 to any port 32768:60999 comment 'SIP from Asterisk to Janus'
ufw allow proto udp from fd00::3 port 5060 to any port 32768:60999 comment 'SIP from Asterisk to Janus'
ufw allow proto tcp from any to any port 5349 comment 'TURN over TLS'
ufw allow proto tcp from any to any port 3478 comment TURN
ufw allow proto udp from any to any port 3478 comment TURN
ufw allow proto udp from any to any port 30000:34999 comment 'browsers'"'"' media (Janus)'
ufw allow proto tcp from any to any port 443 comment 'the edge'
ufw deny out proto udp from any port 40000:40999 to any comment 'coturn relays to nothing else'
ufw deny out proto udp from any port 30000:34999 to 10.1.0.3 comment 'browsers'"'"' media never enters the core'
ufw deny out proto udp from any port 30000:34999 to fd00::3 comment 'browsers'"'"' media never enters the core'
ufw deny out proto udp from any port 30000:34999 to 10.1.0.4 comment 'browsers'"'"' media never enters the app zone'
ufw deny out proto udp from any port 30000:34999 to fd00::4 comment 'browsers'"'"' media never enters the app zone'
ufw allow out proto udp from any to 10.1.0.3 port 5060 comment 'SIP to Asterisk'
ufw allow out proto udp from any to fd00::3 port 5060 comment 'SIP to Asterisk'
ufw allow out proto udp from any port 20000:24999 to 10.1.0.3 port 12000:15999 comment 'call media to Asterisk'
ufw allow out proto udp from any port 20000:24999 to fd00::3 port 12000:15999 comment 'call media to Asterisk'
ufw allow out proto tcp from any to 10.1.0.4 port 6379 comment Redis
ufw allow out proto tcp from any to fd00::4 port 6379 comment Redis
ufw deny out from any to 10.1.0.3 comment 'nothing else in the core'
ufw deny out from any to fd00::3 comment 'nothing else in the core'
ufw deny out from any to 10.1.0.4 comment 'nothing else in the app zone'
ufw deny out from any to fd00::4 comment 'nothing else in the app zone'
ufw default deny incoming
ufw default deny routed
ufw default allow outgoing
ufw --force enable
