/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include <json-glib/json-glib.h>

#include "engine/control.h"
#include "engine/http-server.h"

G_BEGIN_DECLS

/* One request to the control API past the routing; freed by the answer. */
typedef struct
{
  P2psControl *control; /* a reference */
  P2psEngine *engine;   /* borrowed from control */
  P2psHttpRequest *request;
  char *id;         /* what stands for "*" in the route, decoded; or NULL */
  JsonObject *body; /* of a POST; empty when none came */
} P2psControlCall;

typedef void (*P2psControlFunc) (P2psControlCall *call); /* takes the call over */

/* "*" stands for one segment. */
typedef struct
{
  const char *method;
  const char *path;
  P2psControlFunc func;
} P2psControlRoute;

const P2psControlRoute *p2ps_control_get_routes (void); /* ends with a NULL method */
void p2ps_control_call_free (P2psControlCall *call);
void p2ps_control_watch_search (P2psControl *control, const char *qid);
void p2ps_control_touch_search (P2psControl *control, const char *qid);
void p2ps_control_forget_search (P2psControl *control, const char *qid);

G_END_DECLS
