/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

#include "engine/digest.h"
#include "engine/store.h"

G_BEGIN_DECLS

/* The index of the library in the database, for the library alone. Functions without _async run on
 * the calling thread, which must be a worker: they wait for the disk. */
/* Folders that the index knows; gone = missing for now, kept so that nothing is hashed again. */
typedef struct
{
  gint64 id;
  char *path; /* absolute, file system encoding */
  gboolean gone;
  gboolean seen; /* for the sweep */
} P2psKnownFolder;

GHashTable *p2ps_store_list_folders (P2psStore *store, GError **error); /* by path */

/* The files of one folder, ordered by name (bytes). */
typedef struct
{
  gint64 id;
  gint64 size;
  gint64 mtime_ns;
  guint64 inode;
  gsize name; /* offset into names */
} P2psKnownFile;
typedef struct
{
  GArray *files;     /* of P2psKnownFile */
  GByteArray *names; /* each with its NUL */
} P2psKnownFiles;

void p2ps_known_files_free (P2psKnownFiles *known);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psKnownFiles, p2ps_known_files_free)
P2psKnownFiles *p2ps_store_list_files (P2psStore *store, gint64 folder, GError **error);
gboolean p2ps_store_find_folder (P2psStore *store, const char *path, P2psKnownFolder *folder,
                                 GError **error);
P2psKnownFiles *
p2ps_store_find_file (P2psStore *store, gint64 folder, const char *name, GError **error);

/* What is to change, all in one transaction. */
typedef struct
{
  char *folder; /* a reference: g_ref_string */
  char *name;
  gint64 size;
  gint64 mtime_ns;
  guint64 inode;
  guint8 hash[P2PS_BINARY_HASH_SIZE];
  guint8 root[P2PS_BINARY_HASH_SIZE]; /* of the block tree */
  GBytes *layer;                      /* its chunk layer; NULL: at most one chunk */
} P2psNewFile;

typedef struct
{
  GPtrArray *added; /* of P2psNewFile */
  GArray *removed;  /* of gint64: ids of files */
  GArray *gone;     /* of gint64: ids of folders */
  GArray *back;     /* of gint64: ids of folders */
  gboolean recount; /* out: folders came or went */
  gint64 files;     /* out: how many more files are offered, if not recount */
  gint64 bytes;     /* out */
} P2psIndexChange;

void p2ps_new_file_free (P2psNewFile *file);
P2psIndexChange *p2ps_index_change_new (void);
guint p2ps_index_change_get_size (const P2psIndexChange *change);
void p2ps_index_change_free (P2psIndexChange *change);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psNewFile, p2ps_new_file_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psIndexChange, p2ps_index_change_free)
gboolean p2ps_store_apply (P2psStore *store, P2psIndexChange *change, GError **error);
void p2ps_store_shrink (P2psStore *store);
gboolean p2ps_store_count_files (P2psStore *store, gint64 *files, gint64 *bytes, GError **error);
gboolean
p2ps_store_forget_gone (P2psStore *store, gint64 before, guint limit, guint *n, GError **error);

/* One place where a content is, as the index tells it. */
typedef struct
{
  gint64 id;
  char *folder;  /* absolute */
  char *name;    /* on the disk */
  char *offered; /* NULL: under its own name */
  char filehash[P2PS_HASH_SIZE];
  char root[P2PS_HASH_SIZE]; /* of the block tree; "" = not known, or not asked for */
  gint64 size;
  gint64 mtime_ns;
  guint64 inode;
} P2psFileRow;

void p2ps_file_row_free (P2psFileRow *row);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (P2psFileRow, p2ps_file_row_free)

/* What is asked of the index; the results are GPtrArrays of P2psFileRow. */
typedef struct
{
  char *name;                    /* exact name, or words; NULL or "" = any */
  gboolean words;                /* name is words to be found, not an exact name */
  char filehash[P2PS_HASH_SIZE]; /* "" = any; OR with the name */
  guint offset;                  /* for a page of everything */
  guint limit;
} P2psFileQuery;

P2psFileQuery *p2ps_file_query_new (const char *name, const char *filehash, guint limit);
void p2ps_file_query_free (P2psFileQuery *query);

/* For GTasks that own a P2psFileQuery as their data; each result is a GPtrArray of GPtrArrays: one
 * for each content, of its places, the one that matched first. */
void p2ps_store_run_lookup (P2psStore *store, GTask *task);
void p2ps_store_run_page (P2psStore *store, GTask *task);
/* The same, for where to open one file: a GPtrArray of P2psFileRow, most fitting first. */
void p2ps_store_run_places (P2psStore *store, GTask *task);
/* For a GTask that owns a GStrv of hashes: a GHashTable used as a set of char*. */
void p2ps_store_run_have (P2psStore *store, GTask *task);

G_END_DECLS
