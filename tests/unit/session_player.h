/* session_player.h - plays a scripted dialogue through the real session.
 *
 * The player is the session's owner: it keeps two wires instead of sockets,
 * answers dial, hangup and scan from the script, moves the clock by hand, and
 * shows the session its input whole or cut into pieces. It never looks at how
 * the session does its work, only at what comes out.
 *
 * A script is a text file, one record a line; # begins a comment line:
 *
 *   include FILE        another script of the same folder
 *   conf NAME VALUE     before the first other record, see conf_set;
 *                       "conf only whole" where cutting it takes too long,
 *                       "conf user ADDRESS OPTION=ACTION ..." a user section,
 *                       behind what it goes over
 *   C: text             octets from the client, CR LF is added; records of the
 *                       same side that follow each other are one packet
 *   C. text             the same without CR LF
 *   S: text   S. text   octets from the server
 *   --                  ends a packet
 *   c> text   c. text   what the client must get now (with and without CR LF)
 *   s> text   s. text   what the server must get now
 *   o> text             what was asked of the owner: dial, hangup, scan, cancel
 *   b> text   b. text   the message as the scanner can read it
 *   q> KEY=VALUE        of the request: from to of client helo queue av as size
 *   l> text             a summary or part line of the log
 *   event EVENT         dial-up, dial-down, server-gone, client-eof,
 *                       client-error, stop, cut, tick +Ns, wait +Ns, verdict KIND
 *                       [NAME], scan-down, spool-broken, spool-mended,
 *                       block-client, block-server, hold-turns, unblock,
 *                       refuse END, no-memory (for what the client is told)
 *   turns N             how often the session has asked for another turn
 *   received N          octets of messages that were counted
 *   state NAME          the session's state now
 *   end NAME            how the session has ended, or "open"; the last record
 *
 * In text: \r \n \t \v \f \0 \\ \xHH, \{N*text} for N times text, \{xvirus}
 * for the header field of that name, \{+N} for its length plus N. What comes out and is not expected
 * before the next input is an error. */
#ifndef ESETS_TESTS_SESSION_PLAYER_H
#define ESETS_TESTS_SESSION_PLAYER_H

#include <stdbool.h>
#include <stddef.h>

#define SESSION_PLAYER_MODES 8   /* whole, client, server, both by octets, random */

/* Plays dir/name. False: why says what and where. */
bool session_play(const char *dir, const char *name, unsigned mode, char *why, size_t why_size);

/* Marks, and forgets, which cells of the transition table were taken. */
extern unsigned char session_play_seen[32][32];

#endif
