/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - what every command that controls the gateway answers with: which one it is (process,
 * file, addresses) and what waits for a restart.
 */
#ifndef KM_APP_CONTROL_H
#define KM_APP_CONTROL_H

#include "app/client.h"

/* The status of the gateway that runs; the answer is done with by km_answer_done(). */
int km_control_status(struct km_cli *cli, struct km_answer *ret, struct km_err *err) KM_MUST_USE;

/* "  pid 4711 ..." lines of a status, or of another answer that has its members; NULL: nothing. */
void km_control_show(const struct km_json *status);

/* The same as members of an object that is begun: ,"pid":4711,"config":... */
void km_control_json(const struct km_json *status, struct km_buf *out);

#endif
