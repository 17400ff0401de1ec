/* SPDX-License-Identifier: Apache-2.0 */
/* time_civil.h - calendar arithmetic shared by time.c and time_parse.c; not for others. */
#ifndef KM_BASE_TIME_CIVIL_H
#define KM_BASE_TIME_CIVIL_H

#include <stdint.h>

#define KM_TIME_MONTHS "JanFebMarAprMayJunJulAugSepOctNovDec"

/* Days since 1970-01-01; month 1..12, day 1..31. */
int64_t km_days_from_civil(int64_t year, unsigned month, unsigned day);
void km_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);

#endif
