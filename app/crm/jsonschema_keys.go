package crm

import (
	"net/http"
	"reflect"
	"slices"
	"strconv"
)

// section is a struct of the schema: its name in the descriptions, and where in a file it stands.
type section struct {
	of    reflect.Type
	name  string
	place string
}

// sections are all structs of the schema, in the order of the reference. The first is the file itself.
var sections = []section{
	{reflect.TypeFor[document](), "connector", ""},
	{reflect.TypeFor[metadata](), "metadata", "metadata"},
	{reflect.TypeFor[Param](), "param", "params[]"},
	{reflect.TypeFor[networkSpec](), "network", "network"},
	{reflect.TypeFor[tlsSpec](), "tls", "network.tls"},
	{reflect.TypeFor[authSpec](), "auth", "auth"},
	{reflect.TypeFor[oauth2Spec](), "oauth2", "auth.oauth2"},
	{reflect.TypeFor[limitsSpec](), "limits", "limits"},
	{reflect.TypeFor[bucketSpec](), "bucket", "limits.buckets[]"},
	{reflect.TypeFor[meterHeadersSpec](), "meter", "limits.headers"},
	{reflect.TypeFor[errorSpec](), "error", "errors[]"},
	{reflect.TypeFor[phoneSpec](), "phone", "phone"},
	{reflect.TypeFor[setupSpec](), "setup", "setup[]"},
	{reflect.TypeFor[rightSpec](), "right", "rights[]"},
	{reflect.TypeFor[operationSpec](), "operation", "operations.NAME"},
	{reflect.TypeFor[idempotencySpec](), "idempotency", "operations.NAME.idempotency"},
	{reflect.TypeFor[updateSpec](), "update", "operations.NAME.update"},
	{reflect.TypeFor[stepSpec](), "step", "steps[]"},
	{reflect.TypeFor[requestSpec](), "request", "steps[].request"},
	{reflect.TypeFor[uploadSpec](), "upload", "steps[].upload"},
	{reflect.TypeFor[paginateSpec](), "paginate", "steps[].paginate"},
}

// What may stand under a key where its Go type does not say it. The first two are names in the JSON Schema too.
const (
	formText       = "text"       // of a yaml.Node, the usual: a scalar with ${ } in it
	formExpression = "expression" // one ${ } and nothing else
	formTree       = "tree"       // any structure with ${ } in its scalars
	formFile       = "file"       // text, or a file {name, type, content}
	formTimeout    = "timeout"    // Go's notation: 8s, 1m30s
	formSpan       = "span"       // the same, and days: 30d
	formLoose      = "loose"      // text that is often a number or a truth value
)

var patterns = map[string]string{
	formTimeout: `^\+?(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+$`,
	formSpan:    `^\+?([0-9]+d|(([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))+)$`,
}

// keyFact is what the types do not say about a key.
type keyFact struct {
	form        string
	values      []string // no others
	names       []string // of a map: no others
	usual       string   // where the key is missing
	least, most int64    // of a number; 0: no limit
	required    bool
}

// neededOps are the operations without which a file does not load.
var neededOps = []string{"log_call", "lookup", "whoami"}

// keyFacts is by section and key. A key that is not in it may be missing and takes whatever its type does.
var keyFacts = map[string]keyFact{
	"connector.apiVersion": {values: []string{schemaVersion}, required: true},
	"connector.kind":       {values: []string{kindConnector}, required: true},
	"connector.metadata":   {required: true},
	"connector.network":    {required: true},
	"connector.auth":       {required: true},
	"connector.operations": {required: true},
	"connector.defs":       {form: formTree},
	"connector.deep_link":  {names: deepLinkKinds},

	"metadata.id":       {required: true},
	"metadata.name":     {required: true},
	"metadata.maturity": {values: maturities},

	"param.name":    {required: true},
	"param.type":    {values: paramTypeNames, usual: "string"},
	"param.default": {form: formLoose},
	"param.enum":    {form: formLoose},
	"param.example": {form: formLoose},

	"network.allow_hosts":  {required: true},
	"network.timeout":      {form: formTimeout, usual: defaultTimeout.String()},
	"network.max_response": {usual: strconv.Itoa(maxResponse), least: 1, most: maxResponse},

	"auth.type":       {values: authTypes, required: true},
	"auth.refresh_on": {values: classNames, usual: string(classAuth)},

	"oauth2.authorize_url": {required: true},
	"oauth2.token_url":     {required: true},
	"oauth2.client_id":     {required: true},
	"oauth2.pkce":          {values: pkceMethods, usual: pkceMethods[0]},
	"oauth2.client_auth":   {values: clientAuths, usual: clientAuths[0]},
	"oauth2.redirect":      {values: redirects, usual: loopbackAny},
	"oauth2.port":          {least: 1, most: 65535},
	"oauth2.header_prefix": {usual: "Bearer"},

	"limits.concurrency": {usual: strconv.Itoa(defaultConcurrency), least: 1, most: maxConcurrency},
	"limits.cost":        {names: opNames(), usual: "1", least: 1, most: maxCost},

	"bucket.match": {values: opNames()},
	"bucket.max":   {required: true},
	"bucket.per":   {form: formSpan, required: true},
	"bucket.scope": {values: bucketScopes, usual: bucketScopes[0]},

	"meter.format": {values: resetFormats, usual: resetSeconds},

	"error.when":  {form: formExpression, required: true},
	"error.class": {values: classNames, required: true},
	"error.scope": {values: []string{scopeConnector, scopeOp}, usual: scopeConnector},

	"phone.verify":     {values: []string{verifyStrict, verifyBlankOK, verifyOff}, usual: verifyStrict},
	"phone.candidates": {values: sortedKeys(candidateForms)},

	"setup.id":    {required: true},
	"setup.check": {required: true},

	"right.id":    {required: true},
	"right.ops":   {values: opNames()},
	"right.steps": {required: true},

	"operation.steps": {required: true},

	"idempotency.strategy": {values: strategies, required: true},
	"idempotency.window":   {form: formSpan},
	"idempotency.settle":   {form: formSpan},

	"update.steps":  {required: true},
	"update.output": {names: idAlone},

	"step.id":      {required: true},
	"step.request": {required: true},
	"step.when":    {form: formExpression},
	"step.save":    {form: formTree},

	"upload.form": {values: uploadForms, required: true},

	"request.method":    {values: methods, usual: http.MethodGet},
	"request.url":       {required: true},
	"request.json":      {form: formTree},
	"request.multipart": {form: formFile},
	"request.type":      {usual: typeText},

	"paginate.type":      {values: pageTypes, required: true},
	"paginate.size":      {usual: strconv.Itoa(defaultPageSize), least: 1, most: maxItems},
	"paginate.start":     {usual: "1"},
	"paginate.max_pages": {usual: strconv.Itoa(defaultPages), least: 1, most: mostPages},
}

// schemaRules is what keys have to do with each other, by section.
var schemaRules = map[string][]*jsonSchema{
	"auth": {
		when("type", []string{"none"}, &jsonSchema{Properties: map[string]*jsonSchema{"headers": empty(), "query": empty()}}),
		when("type", []string{"basic", "bearer", "api_key", "session"}, &jsonSchema{AnyOf: []*jsonSchema{filled("headers"), filled("query")}}),
		when("type", []string{"none", "basic", "bearer", "api_key"}, lacking("login", "save", "expires_in", "refresh_on", "oauth2")),
		when("type", []string{"session"}, &jsonSchema{Required: []string{"login", "save"}}),
		when("type", []string{"oauth2"}, &jsonSchema{Required: []string{"oauth2"}}),
	},
	"oauth2": {
		when("redirect", []string{loopbackFixed}, &jsonSchema{Required: []string{"port"}}),
		{If: &jsonSchema{Required: []string{"port"}}, Then: only("redirect", loopbackFixed)},
	},
	"meter": {
		needs("remaining", "reset"), needs("reset", "remaining"), needs("limit", "remaining"),
	},
	"setup": {
		{OneOf: []*jsonSchema{filledList("apply"), {Required: []string{"manual"}, Properties: map[string]*jsonSchema{"manual": {MinLength: 1}}}}},
	},
	"right": {
		{AnyOf: []*jsonSchema{filledList("ops"), {Required: []string{"excess"}, Properties: map[string]*jsonSchema{"excess": {Const: true}}}}},
	},
	"idempotency": {
		when("strategy", []string{probe, probeOnUncertain}, &jsonSchema{Required: []string{"found", "probe"}}),
		when("strategy", []string{header}, &jsonSchema{Required: []string{"window"}}),
		{If: &jsonSchema{Required: []string{"window"}}, Then: only("strategy", header)},
		needs("probe", "found"), needs("found", "probe"), needs("settle", "probe"),
	},
	"request": {
		notBoth("json", "form"), notBoth("json", "multipart"), notBoth("json", "raw"), notBoth("form", "multipart"), notBoth("form", "raw"), notBoth("multipart", "raw"),
		needs("type", "raw"),
	},
	"step": {
		{If: &jsonSchema{Required: []string{"paginate"}}, Then: &jsonSchema{Required: []string{"items"}}},
	},
	"paginate": {
		when("type", []string{byCursor, byToken}, &jsonSchema{Required: []string{"next"}}),
	},
}

// when says what has to hold where a key has one of some values.
func when(key string, values []string, then *jsonSchema) *jsonSchema {
	return &jsonSchema{If: &jsonSchema{Required: []string{key}, Properties: map[string]*jsonSchema{key: {Enum: values}}}, Then: then}
}

func needs(key, other string) *jsonSchema {
	return &jsonSchema{If: &jsonSchema{Required: []string{key}}, Then: &jsonSchema{Required: []string{other}}}
}

func only(key, value string) *jsonSchema {
	return &jsonSchema{Required: []string{key}, Properties: map[string]*jsonSchema{key: {Const: value}}}
}

func notBoth(key, other string) *jsonSchema {
	return &jsonSchema{Not: &jsonSchema{Required: []string{key, other}}}
}

func lacking(keys ...string) *jsonSchema {
	out := &jsonSchema{}
	for _, key := range keys {
		out.AllOf = append(out.AllOf, &jsonSchema{Not: &jsonSchema{Required: []string{key}}})
	}
	return out
}

func empty() *jsonSchema { return &jsonSchema{MaxProperties: new(int)} }

func filled(key string) *jsonSchema {
	return &jsonSchema{Required: []string{key}, Properties: map[string]*jsonSchema{key: {MinProperties: 1}}}
}

func filledList(key string) *jsonSchema {
	return &jsonSchema{Required: []string{key}, Properties: map[string]*jsonSchema{key: {MinItems: 1}}}
}

// resultOf tells what an operation's result is; operations that give the same share their words.
func resultOf(op string) string {
	switch shape := shapes[op]; {
	case shape.write:
		return "record"
	case slices.Contains([]string{"lookup", "search", "get", "changes"}, op):
		return "customer"
	}
	return op
}
