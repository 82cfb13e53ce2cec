// Package recording owns the policy for recordings: what of a recording's reference may leave. It must not know calls, the outbox, the window or how a CRM
// is spoken to.
package recording
