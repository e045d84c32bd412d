from twisted.application.service import ServiceMaker

xmppd = ServiceMaker("xmppd", "xmppd.tap", "XMPP server that asks Call Bridges.", "xmppd")
