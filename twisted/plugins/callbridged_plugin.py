from twisted.application.service import ServiceMaker

callbridged = ServiceMaker(
    "callbridged", "callbridged.tap", "Call Bridge that answers an XMPP server.", "callbridged"
)
