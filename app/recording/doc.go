// Package recording owns what becomes of a call's recording: the policy that decides what of its reference may leave, and, where the site asks for the
// file, how it is fetched from the phone system, kept and handed on, a piece at a time and through every interruption. It must not know calls, the
// outbox, the window or how a CRM is spoken to: it is told of a recording and of the write-back that wants its file, and is given a function that hands it on.
package recording
