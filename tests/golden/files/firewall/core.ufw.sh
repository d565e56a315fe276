# Firewall of the core zone, written by talkbutton from talkbutton.toml.
# ufw can neither limit connections for each address at a rate that suits websites, nor
# fence what this machine says to itself: the nftables form does both.
set -e
ufw allow proto tcp from 192.0.2.0/24 to any port 22 comment SSH
ufw allow proto udp from 10.1.0.4 port 16000:17999 to any port 12000:15999 comment 'call media from the bridge'
ufw allow proto udp from fd00::4 port 16000:17999 to any port 12000:15999 comment 'call media from the bridge'
ufw allow proto tcp from 10.1.0.4 to any port 8088 comment 'ARI for the bridge'
ufw allow proto tcp from fd00::4 to any port 8088 comment 'ARI for the bridge'
ufw allow proto udp from 10.1.0.2 port 20000:24999 to any port 12000:15999 comment 'call media from Janus'
ufw allow proto udp from fd00::2 port 20000:24999 to any port 12000:15999 comment 'call media from Janus'
ufw allow proto udp from 10.1.0.2 to any port 5060 comment 'SIP from Janus'
ufw allow proto udp from fd00::2 to any port 5060 comment 'SIP from Janus'
ufw allow out proto udp from any port 5060 to 10.1.0.2 port 32768:60999 comment 'SIP to Janus'
ufw allow out proto udp from any port 5060 to fd00::2 port 32768:60999 comment 'SIP to Janus'
ufw allow out proto udp from any port 12000:15999 to 10.1.0.2 port 20000:24999 comment 'call media to Janus'
ufw allow out proto udp from any port 12000:15999 to fd00::2 port 20000:24999 comment 'call media to Janus'
ufw deny out from any to 10.1.0.2 comment 'nothing else in the edge zone'
ufw deny out from any to fd00::2 comment 'nothing else in the edge zone'
ufw allow out proto udp from any port 12000:15999 to 10.1.0.4 port 16000:17999 comment 'call media to the bridge'
ufw allow out proto udp from any port 12000:15999 to fd00::4 port 16000:17999 comment 'call media to the bridge'
ufw deny out from any to 10.1.0.4 comment 'nothing else in the app zone'
ufw deny out from any to fd00::4 comment 'nothing else in the app zone'
ufw default deny incoming
ufw default deny routed
ufw default allow outgoing
ufw --force enable
