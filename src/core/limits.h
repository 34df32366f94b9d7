/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Every limit of the protocol in one place; docs/protocol.md gives the reason for each.
 * Times are in microseconds unless the name says otherwise. */

#define P2PS_SECOND G_GINT64_CONSTANT (1000000)
#define P2PS_NEVER G_MAXINT64

/* Tables */
#define P2PS_MAX_PEERS 256
#define P2PS_MAX_CANDIDATES 1024
#define P2PS_MAX_PEERS_IN_REPLY 32
#define P2PS_MAX_PEERS_TAKEN 8  /* from one /get_peers reply */
#define P2PS_MIN_ACTIVE_PEERS 3 /* below it peers are asked for peers */
#define P2PS_MIN_PORT 1024

/* Liveness. Classic peers: every 30 s, looked at every 60 s, inactive after 300 s of silence. */
#define P2PS_CLASSIC_HEARTBEAT (30 * P2PS_SECOND)
#define P2PS_CLASSIC_TIMEOUT (300 * P2PS_SECOND)
#define P2PS_HEARTBEAT (5 * P2PS_SECOND)
#define P2PS_PEER_TIMEOUT (18 * P2PS_SECOND) /* so that a silent host is out within 20 s */
#define P2PS_PROBE_AGAIN (600 * P2PS_SECOND) /* the same stranger is pinged at most this often */
#define P2PS_PROBE_CALLER_AGAIN (60 * P2PS_SECOND) /* one that calls again from its own address */
#define P2PS_PROBES_PER_SECOND 2
#define P2PS_PROBES_BURST 4
#define P2PS_REFUSALS_TO_INACTIVE 2           /* "connection refused" in a row */
#define P2PS_RETRY_CLASSIC (60 * P2PS_SECOND) /* an inactive classic peer is tried again */
#define P2PS_RETRY_MAX (300 * P2PS_SECOND)    /* an inactive one of ours: 1 s, doubled up to this */
#define P2PS_RETRY_MAX_CONFIGURED (60 * P2PS_SECOND)
#define P2PS_FORGET_PEER (86400 * P2PS_SECOND) /* after so much silence, unless configured */
#define P2PS_WANTED_PEERS 8                    /* below it the node looks for more by itself */
#define P2PS_MESH_PEERS 31                     /* where there are no more, a node knows them all */
#define P2PS_MESH_AFTER (20 * P2PS_SECOND)
#define P2PS_MAX_NAMED_BY_ONE 16 /* unproven candidates that one host named */

/* Score: 0 is neutral, misbehaviour lowers it, one point comes back every 10 s. */
#define P2PS_SCORE_BAN (-100)
#define P2PS_SCORE_AFTER_BAN (-50)
#define P2PS_SCORE_POINT_TIME (10 * P2PS_SECOND)
#define P2PS_BAN_TIME (600 * P2PS_SECOND) /* doubled each time, up to a day */

/* Queries */
#define P2PS_DEFAULT_TTL 5
#define P2PS_ASSUMED_TTL 2 /* of a query that names none */
#define P2PS_MAX_TTL_IN 7
#define P2PS_MAX_TTL_TO_CLASSIC 2
#define P2PS_MAX_XTTL 32             /* hops between our nodes */
#define P2PS_ENOUGH_XTTL 16          /* left over: that copy reached all */
#define P2PS_MAX_FILENAME 255        /* bytes */
#define P2PS_QUERIES_PER_NEIGHBOUR 5 /* a second */
#define P2PS_QUERIES_BURST 20
/* Copies of known queries cost little, and classic peers, which remember none, send many. */
#define P2PS_DUPLICATES_PER_NEIGHBOUR 50 /* a second */
#define P2PS_DUPLICATES_BURST 200
/* Refused queries that cost no score: an honest relay of a flood is not the flood. */
#define P2PS_EXCESS_PER_NEIGHBOUR 1 /* a second */
#define P2PS_EXCESS_BURST 50
#define P2PS_EXCESS_POINTS 4 /* each new one; a known one costs 1 */
#define P2PS_QUERIES_DEBT 4  /* queries: refused ones count, until a second of silence */
#define P2PS_FORWARDS_PER_SECOND 20
#define P2PS_MAX_FORWARDS_WAITING 64        /* 3 s: what waits longer is too late */
#define P2PS_MAX_OUTBOX 24                  /* queries that wait for one neighbour */
#define P2PS_STRANGER_QUERIES_PER_SECOND 20 /* from callers that are no peers, all together */
#define P2PS_STRANGER_QUERIES_BURST 40
#define P2PS_STRANGER_FORWARDS_PER_SECOND 2 /* the rest is answered, and not sent on */
#define P2PS_STRANGER_FORWARDS_BURST 20
#define P2PS_MAX_LOOKUPS 256 /* under way in the own library */
#define P2PS_QID_MEMORY (600 * P2PS_SECOND)
#define P2PS_MAX_QIDS 65536
#define P2PS_MAX_REACHED 48                   /* neighbours that a query names as asked */
#define P2PS_REACHED_FRESH (10 * P2PS_SECOND) /* and that gave a sign of life since */
#define P2PS_OWN_RETRIES 2                    /* of an own query that got no answer */

/* Hits */
#define P2PS_HIT_WINDOW (60 * P2PS_SECOND)
#define P2PS_MAX_HITS_PER_QUERY 256
#define P2PS_MAX_HITS_PER_RESPONDER 20
#define P2PS_STRANGER_HIT_DELAY (2 * P2PS_SECOND)
#define P2PS_STRANGER_HITS_PER_MINUTE 6
#define P2PS_STRANGER_CLOSED (600 * P2PS_SECOND)
#define P2PS_MAX_STRANGERS 1024
#define P2PS_MAX_SEARCHES 1024 /* own ones that are remembered */

/* Bytes */
#define P2PS_MAX_BODY 16384
#define P2PS_MAX_QUERY_BODY 4096
#define P2PS_MAX_HEADERS 16384
#define P2PS_MAX_PING_REPLY 1024
#define P2PS_MAX_CONTROL_REPLY 65536

/* Bytes of a chunk layer that is served: 32 for each MiB of the file, so up to 64 GiB. */
#define P2PS_MAX_LAYER (2 * 1024 * 1024)
#define P2PS_MAX_JSON_DEPTH 16

/* Uploads, unless the configuration says otherwise */
#define P2PS_UPLOAD_SLOTS 8
#define P2PS_UPLOADS_PER_PEER 2
#define P2PS_SMALL_FILE (256 * 1024) /* up to this size a file needs no slot */

/* Connections */
#define P2PS_MAX_CONNECTIONS 256
#define P2PS_MAX_CONNECTIONS_PER_HOST 16
#define P2PS_SOCKET_TIMEOUT_SECONDS 10
#define P2PS_HEADERS_TIMEOUT_SECONDS 5
#define P2PS_CONTROL_TIMEOUT_SECONDS 4
