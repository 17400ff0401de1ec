/* SPDX-License-Identifier: Apache-2.0 */
/* lib.h - private to pg/: the functions of libpq we use, found by name. */
#ifndef KM_PG_LIB_H
#define KM_PG_LIB_H

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h> /* Debian's place */
#endif

#include "pg/conn.h"

/* XX(function): a member of the same name and type each. */
#define KM_PQ_FUNCTIONS(XX)                                                                        \
    XX(PQconnectStartParams)                                                                       \
    XX(PQconnectPoll)                                                                              \
    XX(PQconninfo)                                                                                 \
    XX(PQhost)                                                                                     \
    XX(PQhostaddr)                                                                                 \
    XX(PQport)                                                                                     \
    XX(PQconninfoParse)                                                                            \
    XX(PQconninfoFree)                                                                             \
    XX(PQfinish)                                                                                   \
    XX(PQsocket)                                                                                   \
    XX(PQstatus)                                                                                   \
    XX(PQsslInUse)                                                                                 \
    XX(PQerrorMessage)                                                                             \
    XX(PQparameterStatus)                                                                          \
    XX(PQserverVersion)                                                                            \
    XX(PQbackendPID)                                                                               \
    XX(PQsetnonblocking)                                                                           \
    XX(PQenterPipelineMode)                                                                        \
    XX(PQpipelineSync)                                                                             \
    XX(PQsendQueryParams)                                                                          \
    XX(PQsendPrepare)                                                                              \
    XX(PQsendQueryPrepared)                                                                        \
    XX(PQsetSingleRowMode)                                                                         \
    XX(PQflush)                                                                                    \
    XX(PQconsumeInput)                                                                             \
    XX(PQisBusy)                                                                                   \
    XX(PQgetResult)                                                                                \
    XX(PQclear)                                                                                    \
    XX(PQresultStatus)                                                                             \
    XX(PQresultErrorField)                                                                         \
    XX(PQntuples)                                                                                  \
    XX(PQnfields)                                                                                  \
    XX(PQfname)                                                                                    \
    XX(PQftype)                                                                                    \
    XX(PQgetisnull)                                                                                \
    XX(PQgetvalue)                                                                                 \
    XX(PQgetlength)                                                                                \
    XX(PQcmdStatus)                                                                                \
    XX(PQcmdTuples)                                                                                \
    XX(PQsetNoticeReceiver)                                                                        \
    XX(PQgetCancel)                                                                                \
    XX(PQfreeCancel)

struct km_pg_lib {
    void *handle;
#define XX(name) __typeof__(name) *name;
    KM_PQ_FUNCTIONS(XX)
#undef XX
};

struct km_pg_result {
    const struct km_pg_lib *lib;
    PGresult *res;
};

#endif
