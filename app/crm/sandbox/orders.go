package sandbox

import "net/http"

// order is a past purchase. The API only reads them.
type order struct {
	ID        string `json:"id"`
	Number    string `json:"number"`
	ContactID string `json:"contact_id"`
	Item      string `json:"item"`
	Quantity  int    `json:"quantity"`
	Total     int64  `json:"total"`    // minor units: fen, pence, cents
	Currency  string `json:"currency"` // CNY, GBP, USD
	Status    string `json:"status"`   // open, shipped, delivered, returned
	PlacedAt  Stamp  `json:"placed_at"`
}

func (o order) ident() string { return o.ID }
func (o order) key() string   { return "" }

func (s *Server) ordersOfContact(r *http.Request) (answer, error) {
	rows, err := rowsOf(s, r, func(b *book) *table[order] { return &b.orders }, func(o order) *string { return &o.ContactID })
	if err != nil {
		return answer{}, err
	}
	newest(rows, func(o order) Stamp { return o.PlacedAt })
	return paged(r, rows, defaultLimit)
}
