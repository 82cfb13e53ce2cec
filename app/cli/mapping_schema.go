package cli

import (
	"context"

	"github.com/spf13/cobra"

	"ringside.dev/ringside/app/crm"
)

// mappingSchema needs no CRM and no profile, as crmSchema.
func (e *env) mappingSchema() *cobra.Command {
	return command("schema", e.say("Print the JSON Schema of mapping files, for editors", "输出映射文件的 JSON Schema，供编辑器使用"), 0, func(context.Context, []string) error {
		_, err := e.Out.Write(crm.MappingSchema())
		return err
	})
}
