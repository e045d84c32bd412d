// Does a TURN or STUN service work from this browser? It gathers candidates through that service
// alone (RFC 8445 section 5.1.1), connects to nobody, and says what came.

const RELAYS = ["turn", "turns"];
const SECONDS = 15; // a browser gives up after ten

// The URL that WebRTC wants (RFC 7064, RFC 7065) for a service as XEP-0215 describes it.
export function urlOf({ type, host, port, transport }) {
  const place = host.includes(":") ? `[${host}]` : host;
  const end = RELAYS.includes(type) && transport ? `?transport=${transport}` : "";
  return `${type}:${place}${port ? `:${port}` : ""}${end}`;
}

// {works: true, kind, address, milliseconds}, or {works: false, reason}: a key below "turn.".
export async function probe(service, Connection = globalThis.RTCPeerConnection) {
  if (!Connection) return { works: false, reason: "unsupported" };
  const relay = RELAYS.includes(service.type);
  const began = performance.now();
  let connection;
  let code = null;
  let timer;
  try {
    const { username, password: credential } = service;
    const servers = [{ urls: urlOf(service), ...(relay && { username, credential }) }];
    const policy = relay ? "relay" : "all";
    connection = new Connection({ iceServers: servers, iceTransportPolicy: policy });
    const found = new Promise((resolve) => {
      timer = setTimeout(resolve, SECONDS * 1000, null);
      connection.onicecandidateerror = ({ errorCode }) => { code = errorCode; };
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) resolve(null);
        else if (candidate.type === (relay ? "relay" : "srflx")) resolve(candidate);
      };
    });
    connection.createDataChannel("probe");
    await connection.setLocalDescription(await connection.createOffer());
    const candidate = await found;
    if (!candidate) return { works: false, reason: reasonOf(code, relay) };
    const milliseconds = Math.round(performance.now() - began);
    const kind = relay ? "relay" : "reflexive";
    return { works: true, kind, address: candidate.address, milliseconds };
  } catch {
    return { works: false, reason: "unusable" }; // a URL or credentials that WebRTC does not take
  } finally {
    clearTimeout(timer);
    connection?.close();
  }
}

// STUN's codes (RFC 8489 section 14.8, RFC 8656 section 19), and 701 where none came.
function reasonOf(code, relay) {
  if (code === 401 || code === 403 || code === 438 || code === 441) return "refused";
  if (code === 486 || code === 508) return "full";
  if (code === null && !relay) return "same-address";
  return "unreachable";
}
