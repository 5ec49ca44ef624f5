/* scan_opts.h - the scanner common options that the daemon needs to know
 * for one message: filled by the configuration, carried by scan_msg, obeyed
 * by the daemon's task. Names are those of esets.cfg without av_. */
#ifndef ESETS_SCAN_OPTS_H
#define ESETS_SCAN_OPTS_H

#include <stdbool.h>
#include <stdint.h>

enum scan_clean_mode { SCAN_CLEAN_NONE, SCAN_CLEAN_STANDARD, SCAN_CLEAN_STRICT,
	SCAN_CLEAN_RIGOROUS, SCAN_CLEAN_DELETE };

struct scan_opts {
	enum scan_clean_mode clean_mode;   /* av_clean_mode */
	bool obj_files, obj_archives, obj_emails, obj_mailbox, obj_sfx, obj_rtp;
	bool app_adware, app_unwanted, app_unsafe, heur, adv_heur;
	uint32_t archive_max_level;
	uint64_t archive_max_size;         /* octets */
	uint32_t archive_max_files;
	uint32_t archive_max_ratio;
	uint64_t max_size;                 /* octets, 0 no limit */
	uint32_t timeout_s;                /* av_scan_timeout */
	bool quarantine;                   /* av_quarantine_enabled */
	uint32_t as_spam_score_milli;      /* as_spam_score * 1000, 0 engine's own */
	/* Lists as written in the file; owned by the configuration, or by the
	 * request that was parsed. Never NULL. */
	const char *ext_exclude;
	const char *block_ext;
	const char *allow_hash;
	const char *allow_name;
};

#endif
