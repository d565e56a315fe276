# Firewall of the app zone, written by talkbutton from talkbutton.toml.
# ufw can neither limit connections for each address at a rate that suits websites, nor
# fence what this machine says to itself: the nftables form does both.
set -e
ufw allow proto tcp from 192.0.2.0/24 to any port 22 comment SSH
ufw allow proto tcp from 10.1.0.2 to any port 6379 comment 'Redis for the edge'
ufw allow proto tcp from fd00::2 to any port 6379 comment 'Redis for the edge'
ufw allow proto udp from 10.1.0.3 port 12000:15999 to any port 16000:17999 comment 'call media from Asterisk'
ufw allow proto udp from fd00::3 port 12000:15999 to any port 16000:17999 comment 'call media from Asterisk'
ufw allow out proto tcp from any to 10.1.0.3 port 8088 comment ARI
ufw allow out proto tcp from any to fd00::3 port 8088 comment ARI
ufw allow out proto udp from any port 16000:17999 to 10.1.0.3 port 12000:15999 comment 'call media to Asterisk'
ufw allow out proto udp from any port 16000:17999 to fd00::3 port 12000:15999 comment 'call media to Asterisk'
ufw deny out from any to 10.1.0.3 comment 'nothing else in the core'
ufw deny out from any to fd00::3 comment 'nothing else in the core'
ufw deny out from any to 10.1.0.2 comment 'nothing in the edge zone'
ufw deny out from any to fd00::2 comment 'nothing in the edge zone'
ufw default deny incoming
ufw default deny routed
ufw default allow outgoing
ufw --force enable
