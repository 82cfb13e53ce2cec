# Into RT_SiteConfig.pm: what an agent may read and search of a customer without the right AdminUsers.
Set($UserSummaryExtraInfo, 'RealName, EmailAddress, Name, Organization, WorkPhone, MobilePhone, HomePhone, PagerPhone');
