// Package crm speaks to CRMs. It owns the Connector contract and the declarative engine that turns one YAML file into a
// connector: its schema, its expressions, its HTTP client with the network fence, and the mapping of a CRM's answers onto
// customers, tickets and error kinds.
// It must not know calls in progress, the outbox, who looks at a result, or where secrets are kept: parameters arrive resolved.
// Nothing in it asks which CRM it speaks to; what differs between two CRMs is in their files.
package crm

import (
	"context"

	"ringside.dev/ringside/app/cti"
)

// Connector is one CRM. All methods may be called concurrently and obey ctx; each HTTP request also has the connector's own
// time-out. Errors are cti.Errors: auth (sign in again), denied (not allowed), limited (see RetryAfter), offline (nothing was
// changed), uncertain (only from Write: it may have been applied, the same key may be sent again), conflict, notfound and
// invalid (will be wrong again: a person must look). No error text holds a secret or a telephone number.
// Limited, and offline with a RetryAfter, may come without anything being sent: the CRM asked for a pause, failed several times
// in a row, or too many requests wait. RetryAfter is then the time after which asking makes sense again.
type Connector interface {
	// Name is the connector's id, for logs and messages.
	Name() string
	// Whoami asks the CRM who is signed in: the cheapest test of address and credentials.
	Whoami(ctx context.Context) (cti.Agent, error)
	// Lookup gives the customers with this number. It only reads. The CRM's own match is not trusted: each customer has a
	// number that was compared here. Nobody, and a withheld number, is an empty list and no error.
	Lookup(ctx context.Context, n cti.Number) ([]cti.Customer, error)
	// Write makes one change. Repeating it with the same key leaves one record, as far as the connector's declared strategy goes. A
	// write-back with a RecordID changes what is there: notfound when that is gone, invalid when the connector does not say how. Only
	// one that writes by our key alone makes it anew. A write-back whose customer is pending or unclear is refused as invalid.
	Write(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
	// Repeat tells what the CRM makes of a write-back that is sent again, as its connector declares. It asks nothing and does not
	// change while the connector is open.
	Repeat(w cti.WriteBack) cti.Repeat
	// Find gives the receipt of the record that has the write-back's key. It only reads. Notfound: the CRM has none, or does not
	// show it yet (Repeat.Settle). Where Repeat.Find is false it is invalid.
	Find(ctx context.Context, w cti.WriteBack) (cti.Receipt, error)
	// Features tells what else this CRM can do. It does not change.
	Features() Features
}

// Features are optional: a nil field means unsupported. They may be called concurrently and fail as Connector's methods do.
type Features struct {
	// History gives a customer's last contacts, newest first.
	History func(ctx context.Context, customerID string, limit int) ([]cti.Contact, error)
	// Tickets gives a customer's open matters.
	Tickets func(ctx context.Context, customerID string, limit int) ([]cti.Ticket, error)
	// Search gives customers by words of a name, a company, an e-mail address, or by digits.
	Search func(ctx context.Context, text string, limit int) ([]cti.Customer, error)
	// Changes gives a page of the customers that were changed or deleted since the page before it; without a cursor, of all there are.
	Changes func(ctx context.Context, cursor string) (cti.CustomerPage, error)
	// Get gives a customer by id; notfound when the CRM has them no more.
	Get func(ctx context.Context, customerID string) (cti.Customer, error)
	// Orders gives what a customer bought, newest first as far as the CRM sorts.
	Orders func(ctx context.Context, customerID string, limit int) ([]cti.Order, error)
	// Options gives the choices of a kind: customer_status, owner, queue, status, priority, tag, pipeline or outcome.
	Options func(ctx context.Context, kind string, limit int) ([]cti.Option, error)
	// Describe gives the fields of an object: call, customer, ticket or task.
	Describe func(ctx context.Context, object string) ([]Field, error)
	// Writes tells which write-backs it takes.
	Writes map[cti.Op]bool
	// Status tells that UpdateCustomer sets a customer's follow-up status.
	Status bool
	// DeepLink gives the page of a record in the CRM's own window. Kind is contact, ticket, call or search. The host is always
	// one of the connector's allowed ones.
	DeepLink func(kind, id string) (string, error)
}
